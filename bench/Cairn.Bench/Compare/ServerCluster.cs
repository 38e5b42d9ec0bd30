using System.Net;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Compare;

/// <summary>A cluster that the bench started: one member or more. Owned by one thread.</summary>
internal sealed class ServerCluster : IDisposable
{
    // What a cluster may take to elect a leader after all of it stood still.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly NanoClock _clock;

    /// <summary>Prepares a cluster that is not started yet.</summary>
    /// <param name="contestant">Which program.</param>
    /// <param name="members">How many members.</param>
    /// <param name="directory">Under which each member has its data.</param>
    /// <param name="placement">Where it runs.</param>
    /// <param name="clock">The clock.</param>
    public ServerCluster(Contestant contestant, int members, string directory, Placement placement, NanoClock clock)
    {
        _clock = clock;
        Directory.CreateDirectory(directory);
        Members = [.. Enumerable.Range(1, members).Select(i => new ServerProcess(contestant, $"m{i}", Path.Combine(directory, $"m{i}"), placement))];
    }

    /// <summary>The members.</summary>
    public IReadOnlyList<ServerProcess> Members { get; }

    /// <summary>Where clients connect.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints => [.. Members.Select(static member => member.EndPoint)];

    /// <summary>The processes.</summary>
    public IReadOnlyList<int> ProcessIds => [.. Members.Select(static member => member.Id)];

    private string InitialCluster => string.Join(',', Members.Select(static member => $"{member.Name}={member.PeerUrl}"));

    /// <summary>Starts all members.</summary>
    /// <returns>How long it took until all had answered a linearizable read.</returns>
    /// <exception cref="IOException">One did not get ready.</exception>
    public TimeSpan Start()
    {
        var began = _clock.Now;
        ForEach(member => member.Launch(InitialCluster));
        ForEach(static member => member.WaitReady());
        return NanoClock.Span(_clock.Now - began);
    }

    /// <summary>Starts one member again, and waits until it serves.</summary>
    /// <param name="member">A member that ended.</param>
    /// <exception cref="IOException">It did not get ready.</exception>
    public void Restart(ServerProcess member)
    {
        member.Launch(InitialCluster);
        member.WaitReady();
    }

    /// <summary>Lets nothing of the cluster run until <see cref="Continue"/>, so that another can be measured alone.</summary>
    public void Pause() => ForEach(static member => member.Pause());

    /// <summary>Lets the cluster run again, and waits until it takes writes: those who stood still may have to elect a leader first.</summary>
    /// <exception cref="IOException">It takes none.</exception>
    public void Continue()
    {
        ForEach(static member => member.Continue());
        foreach (var member in Members)
        {
            Settle(member.EndPoint);
        }
    }

    /// <summary>Asks all members to end, and waits for them.</summary>
    /// <exception cref="IOException">One did not end.</exception>
    public void Stop() => ForEach(static member => member.Stop());

    /// <summary>Ends all members without a word, and waits for them.</summary>
    /// <exception cref="IOException">One did not end.</exception>
    public void Kill() => ForEach(static member => member.Kill());

    /// <summary>Finds the leader.</summary>
    /// <returns>The member that says of itself that it leads.</returns>
    /// <exception cref="IOException">None does, for longer than an election takes.</exception>
    public ServerProcess Leader()
    {
        var began = _clock.Now;
        while (NanoClock.Span(_clock.Now - began) < Patience)
        {
            foreach (var member in Members)
            {
                using var client = new ControlClient(member.EndPoint);
                var status = client.Call<StatusResponse>(Paths.Status, new StatusRequest());
                if (status.Leader == status.Header.MemberId)
                {
                    return member;
                }
            }
        }

        throw new IOException("the cluster has no leader");
    }

    /// <summary>Ends what runs.</summary>
    public void Dispose() => ForEach(static member => member.Dispose());

    private void Settle(IPEndPoint endPoint)
    {
        var began = _clock.Now;
        while (true)
        {
            try
            {
                using var client = new ControlClient(endPoint);
                client.Call<PutResponse>(Paths.Put, new PutRequest { Key = ByteString.CopyFromUtf8("settled") });
                return;
            }
            catch (IOException) when (NanoClock.Span(_clock.Now - began) < Patience)
            {
                // No leader yet.
            }
        }
    }

    private void ForEach(Action<ServerProcess> act)
    {
        foreach (var member in Members)
        {
            act(member);
        }
    }
}
