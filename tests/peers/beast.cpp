// A Boost.Beast server with a thread for each session. The request path says how a session ends: see README.md.

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <csignal>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using error_code = boost::system::error_code;
using stream = websocket::stream<tcp::socket>;

void print(const std::string &line) {
    static std::mutex lines;
    std::lock_guard<std::mutex> guard(lines);
    std::cout << line << std::endl;
}

std::string quoted(beast::string_view text) {
    std::ostringstream out;
    out << '"';
    for (unsigned char byte : text) {
        if (byte == '"' || byte == '\\') out << '\\' << byte;
        else if (byte < 0x20) out << "\\u00" << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
        else out << byte;
    }
    return out.str() + '"';
}

std::string decoded(const std::string &part) {
    std::string text;
    for (std::size_t at = 0; at < part.size(); ++at) {
        if (part[at] == '%' && at + 2 < part.size()) {
            text += static_cast<char>(std::stoi(part.substr(at + 1, 2), nullptr, 16));
            at += 2;
        } else {
            text += part[at];
        }
    }
    return text;
}

std::vector<std::string> words(const std::string &path) {
    std::vector<std::string> parts;
    std::istringstream in(path.substr(1));
    for (std::string part; std::getline(in, part, '/');) parts.push_back(decoded(part));
    parts.resize(3);
    return parts;
}

// Ends the session as its path says. The next read then gets the report of the library.
void end(stream &ws, const std::vector<std::string> &ending, error_code &error) {
    tcp::socket &socket = ws.next_layer();
    if (ending[0] == "close") {
        auto code = static_cast<websocket::close_code>(std::stoi(ending[1]));
        ws.close(websocket::close_reason(code, ending[2].c_str()), error);
    } else if (ending[0] == "close-empty") {
        ws.close(websocket::close_reason(), error);
    } else if (ending[0] == "terminate") {
        socket.close(error);
    } else if (ending[0] == "reset") {
        socket.set_option(asio::socket_base::linger(true, 0));
        socket.close(error);
    } else if (ending[0] == "exit") {
        kill(getpid(), SIGKILL);
    }
}

void report(const std::string &path, const stream &ws, bool clean, const error_code &error) {
    auto reason = ws.reason();
    // The library keeps the code of the Close that it received, even if the transport fails after it.
    int code = reason ? reason.code : clean ? 1005 : 1006;
    std::string cause = clean ? "null" : error == boost::system::errc::connection_reset ? "\"ECONNRESET\"" : quoted(error.message());
    print("{\"event\":\"closed\",\"path\":" + quoted(path) + ",\"code\":" + std::to_string(code) +
          ",\"reason\":" + quoted({reason.reason.data(), reason.reason.size()}) + ",\"clean\":" + (clean ? "true" : "false") +
          ",\"error\":" + cause + "}");
}

void serve(tcp::socket socket) {
    socket.set_option(tcp::no_delay(true));
    beast::flat_buffer buffer;
    beast::http::request<beast::http::empty_body> request;
    error_code error;
    beast::http::read(socket, buffer, request, error);
    if (error) return;

    stream ws(std::move(socket));
    websocket::permessage_deflate deflate;
    deflate.server_enable = true;
    ws.set_option(deflate);
    ws.read_message_max(0);
    ws.accept(request, error);
    if (error) return;

    std::string path(request.target());
    path = path.substr(0, path.find('?'));
    auto ending = words(path);
    buffer.clear();
    while (!error) {
        ws.read(buffer, error);
        if (error) break;
        if (ending[0] != "echo" && beast::buffers_to_string(buffer.data()) == "go") {
            end(ws, ending, error);
            // A closing handshake that this side began is complete.
            report(path, ws, !error && ending[0].rfind("close", 0) == 0, error);
            return;
        }
        ws.text(ws.got_text());
        ws.write(buffer.data(), error);
        buffer.clear();
    }
    report(path, ws, error == websocket::error::closed, error);
}

int main() {
    asio::io_context context;
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
    print("{\"listening\":" + std::to_string(acceptor.local_endpoint().port()) + "}");
    std::thread([] {
        while (std::cin.get() != EOF) {
        }
        _exit(0);
    }).detach();
    for (;;) std::thread(serve, acceptor.accept()).detach();
}
