using System.Text;
using Cairn.Server;
using Cairn.Server.Peers;

namespace Cairn.Simulation;

// What happens to questions between members, decided by the seed: the question or the answer is lost, where links are cut or by chance, and the asker waits
// until it has had enough; nobody listens, which the asker learns at once; the other stops or crashes meanwhile. A question is never repeated: one connection
// carries it once.

/// <summary>One process's way to ask the other members, as HTTP on their peer ports is in production.</summary>
internal sealed class SimulatedCalls(World world, SimulatedNetwork network, SimulatedMember self, Machine machine) : IPeerCalls
{
    // In production a connection that nobody accepts is refused at once, or times out after a second; nobody waits longer for it.
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(10);

    public async ValueTask<PeerAnswer> AskAsync(string url, PeerCall call, CancellationToken cancelled)
    {
        // The peer port finds nothing there.
        Invariant.Holds(call.Body is not null || call.Parts is not null || !call.Path.StartsWith("/cairn/", StringComparison.Ordinal), $"{call.Path} is asked by GET");
        var end = new TaskCompletionSource<PeerAnswer>();
        using var registration = cancelled.UnsafeRegister(_ => end.TrySetResult(PeerAnswer.None), null);
        var timeout = world.After(AnswerMax, machine, () => end.TrySetResult(PeerAnswer.None));
        if (network.Members.FirstOrDefault(member => member.PeerUrl == url) is { } other && network.Travel(self.MemberId, other.MemberId) is { } delay)
        {
            world.After(delay, world.Outside, () => Deliver(other, call, end));
        }

        var answer = await end.Task;
        timeout.IsCancelled = true;
        return answer;
    }

    private static byte[] Version(Node? node) =>
        Encoding.UTF8.GetBytes($$"""{"etcdserver":"3.6.14","etcdcluster":"{{node?.Look().ClusterVersion ?? "not_decided"}}","storage":"3.6.0"}""");

    private void Deliver(SimulatedMember other, PeerCall call, TaskCompletionSource<PeerAnswer> end)
    {
        if (other is { IsUp: true, Machine: { } answering })
        {
            answering.Run(() => _ = ServeAsync(other, answering, call, end));
        }
        else
        {
            world.After(TimeSpan.Zero, machine, () => end.TrySetResult(PeerAnswer.None));
        }
    }

    private async Task ServeAsync(SimulatedMember other, Machine answering, PeerCall call, TaskCompletionSource<PeerAnswer> end)
    {
        var node = other.Node;
        try
        {
            var answer = call.Path switch
            {
                "/members" when node is not null => new PeerAnswer(200, node.DescribeMembers()),
                "/version" => new PeerAnswer(200, Version(node)),
                _ => await other.Reception.AnswerAsync(call, default),
            };
            if (answering.IsAlive && network.Travel(other.MemberId, self.MemberId) is { } delay)
            {
                world.After(delay, machine, () => end.TrySetResult(answer with { ClusterId = node?.ClusterId ?? 0 }));
            }
        }
        catch (Exception exception) when (answering.IsAlive && !other.IsExcused(exception))
        {
            world.Fail($"{answering.Name} failed to answer {call.Path}: {exception}");
        }
    }
}
