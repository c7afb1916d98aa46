%% A cowboy server. The request path says how each session ends: see README.md.
-module(interop_cowboy).
-export([main/0, init/2, websocket_init/1, websocket_handle/2, websocket_info/2, terminate/3]).

main() ->
    {ok, _} = application:ensure_all_started(cowboy),
    Routes = cowboy_router:compile([{'_', [{'_', ?MODULE, []}]}]),
    {ok, _} = cowboy:start_clear(server, [{ip, {127, 0, 0, 1}}, {port, 0}], #{env => #{dispatch => Routes}}),
    io:format("{\"listening\":~b}~n", [ranch:get_port(server)]),
    until_input_ends().

until_input_ends() ->
    case io:get_line("") of
        Line when is_list(Line) -> until_input_ends();
        _ -> halt(0)
    end.

init(Request, _) ->
    Path = cowboy_req:path(Request),
    Words = [uri_string:percent_decode(Word) || Word <- binary:split(Path, <<"/">>, [global, trim_all])],
    {cowboy_websocket, Request, #{path => Path, words => Words}, #{max_frame_size => infinity, compress => true}}.

websocket_init(State) -> {[], State}.

websocket_handle({text, <<"go">>}, State = #{words := Words}) -> {ending(Words), State};
websocket_handle({text, Text}, State) -> {[{text, Text}], State};
websocket_handle({binary, Bytes}, State) -> {[{binary, Bytes}], State};
websocket_handle(_, State) -> {[], State}.

websocket_info(_, State) -> {[], State}.

ending([<<"close">>, Code, Reason]) -> [{close, binary_to_integer(Code), Reason}];
ending([<<"close">>, Code]) -> [{close, binary_to_integer(Code), <<>>}];
ending([<<"close-empty">>]) -> [close];
ending([<<"exit">>]) -> os:cmd("kill -9 " ++ os:getpid()), [];
ending(_) -> [].

terminate(Why, _Request, #{path := Path}) ->
    {Code, Reason, Error} =
        case Why of
            {remote, Number, Text} -> {integer_to_binary(Number), Text, <<"null">>};
            remote -> {<<"1005">>, <<>>, <<"null">>};
            stop -> {<<"null">>, null, <<"null">>};
            {error, Kind} -> {<<"null">>, null, io_lib:format("\"~p\"", [Kind])};
            Other -> {<<"null">>, null, io_lib:format("\"~p\"", [Other])}
        end,
    io:format("{\"event\":\"closed\",\"path\":\"~s\",\"code\":~s,\"reason\":~s,\"clean\":null,\"error\":~s}~n",
              [Path, Code, quoted(Reason), Error]);
terminate(_, _, _) -> ok.

quoted(null) -> <<"null">>;
quoted(Text) -> [$", Text, $"].
