using System.Collections.Concurrent;
using Cairn.Client;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Tests.Grpc.Calling;
using Google.Protobuf;

namespace Cairn.Tests.Client;

/// <summary>Members that answer by scripts, and a client that is connected to them. Member n has port n.</summary>
internal sealed class ScriptedCluster : IAsyncDisposable
{
    private readonly ConcurrentDictionary<int, Func<ScriptedCall, Task>> _members = [];
    private readonly ConcurrentQueue<ScriptedCall> _calls = [];

    public ScriptedCluster(int members, ClientOptions? options = null)
    {
        options ??= new ClientOptions { Endpoints = [] };
        options = options with { Endpoints = [.. Enumerable.Range(1, members).Select(static port => $"member:{port}")], Time = Time, Seed = FirstMemberFirst(members) };
        Client = new CairnClient(options, address => new GrpcChannel(address, new GrpcChannelOptions { Time = Time }, new ScriptedServer(AnswerAsync)));
    }

    public ImpatientTime Time { get; } = new(TimeSpan.FromSeconds(2));

    public CairnClient Client { get; }

    /// <summary>Calls in the order in which they came: member and path.</summary>
    public IEnumerable<string> Calls => _calls.Select(static call => $"{call.Port}{call.Path[call.Path.LastIndexOf('/')..]}");

    public IEnumerable<ScriptedCall> All => _calls;

    public ScriptedCluster Member(int port, Func<ScriptedCall, Task> script)
    {
        _members[port] = script;
        return this;
    }

    public ScriptedCluster Member(int port, GrpcStatusCode code, string text) => Member(port, call =>
    {
        call.End(code, text);
        return Task.CompletedTask;
    });

    public ScriptedCluster Member(int port, IMessage answer) => Member(port, async call =>
    {
        await call.WriteAsync(answer);
        call.End(GrpcStatusCode.Ok);
    });

    public ScriptedCluster DeadMember(int port) => Member(port, static _ => throw new HttpRequestException(HttpRequestError.ConnectionError, "refused"));

    public ValueTask DisposeAsync() => Client.DisposeAsync();

    private Task AnswerAsync(ScriptedCall call)
    {
        _calls.Enqueue(call);
        return _members[call.Port](call);
    }

    // The client begins with a member of chance; the tests read better if that is the first.
    private static ulong FirstMemberFirst(int members)
    {
        ulong seed = 0;
        while (new Prng(seed).Below(members) != 0)
        {
            seed++;
        }

        return seed;
    }
}
