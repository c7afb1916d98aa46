# An em-websocket server. The request path says how each session ends: see README.md.
require 'em-websocket'
require 'json'
require 'socket'
require 'uri'

$stdout.sync = true

def words(path) = path[1..].split('/').map { |part| URI.decode_www_form_component(part) }

def finish(socket, ending, parameters)
  case ending
  when 'close' then socket.close(parameters[0].to_i, parameters[1])
  when 'terminate' then socket.close_connection
  when 'exit' then Process.kill(:KILL, Process.pid)
  end
end

# Ends the server when standard input ends.
module Lifeline
  def unbind = exit!(0)
end

EM.run do
  EM.attach($stdin, Lifeline)
  # em-websocket's own `start` does not return the socket, and so not the port that the system chose.
  listening = EM.start_server('127.0.0.1', 0, EM::WebSocket::Connection, {}) do |socket|
    path = nil
    socket.onopen { |handshake| path = handshake.path }
    socket.onmessage do |message|
      ending, *parameters = words(path)
      message == 'go' ? finish(socket, ending, parameters) : socket.send(message)
    end
    socket.onclose do |event|
      event ||= {}
      puts JSON.generate(event: 'closed', path:, code: event[:code], reason: event[:reason], clean: event[:was_clean], error: nil)
    end
  end
  puts JSON.generate(listening: Socket.unpack_sockaddr_in(EM.get_sockname(listening)).first)
end
