// A client of java.net.http that ends its sessions as asked, or waits for the server to: see README.md.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

public final class JavaClient {
    /** Bound on one session: far above what one takes, below what a test waits for it. */
    private static final int SESSION_SECONDS = 30;

    /** The strings of a JSON array, which have no escapes. */
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"");

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private static final class Ends implements WebSocket.Listener {
        final CompletableFuture<Void> echo = new CompletableFuture<>();
        final CompletableFuture<String> end = new CompletableFuture<>();

        @Override
        public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
            echo.complete(null);
            ws.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
            end.complete(closed(String.valueOf(code), quoted(reason), "null"));
            return null;
        }

        @Override
        public void onError(WebSocket ws, Throwable error) {
            echo.completeExceptionally(error);
            end.complete(closed("null", "null", quoted(String.valueOf(error.getMessage()))));
        }
    }

    public static void main(String[] asked) throws Exception {
        if (asked.length > 0) {
            ask(List.of(asked));
        } else {
            var input = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = input.readLine()) != null; ) {
                var words = new ArrayList<String>();
                var word = WORD.matcher(line);
                while (word.find()) words.add(word.group(1));
                ask(words);
            }
        }
        System.exit(0);
    }

    private static void ask(List<String> words) {
        try {
            System.out.println(session(words.get(0), words.get(1), words.subList(2, words.size())));
            System.out.flush();
        } catch (Exception error) {
            System.out.println("{\"event\":\"failed\",\"error\":" + quoted(error.toString()) + "}");
            System.exit(1);
        }
    }

    private static String session(String url, String action, List<String> parameters) throws Exception {
        var ends = new Ends();
        var ws = HTTP.newWebSocketBuilder().buildAsync(URI.create(url), ends).get(SESSION_SECONDS, TimeUnit.SECONDS);
        ws.sendText("hello", true).get(SESSION_SECONDS, TimeUnit.SECONDS);
        ends.echo.get(SESSION_SECONDS, TimeUnit.SECONDS);
        switch (action) {
            case "close" -> ws.sendClose(Integer.parseInt(parameters.get(0)), parameters.size() > 1 ? parameters.get(1) : "");
            case "terminate" -> {
                ws.abort();
                // The listener is called no more after that.
                return closed("null", "null", "null");
            }
            case "wait" -> ws.sendText("go", true);
            case "kill" -> new ProcessBuilder("kill", "-9", String.valueOf(ProcessHandle.current().pid())).start();
            default -> throw new IllegalArgumentException("usage: URL close|terminate|wait|kill [CODE [REASON]]");
        }
        return ends.end.get(SESSION_SECONDS, TimeUnit.SECONDS);
    }

    private static String closed(String code, String reason, String error) {
        return "{\"event\":\"closed\",\"code\":" + code + ",\"reason\":" + reason + ",\"clean\":null,\"error\":" + error + "}";
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
