using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Histories;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Simulation.Workloads;

/// <summary>Watches a range for the whole run: when its connection breaks, it goes on where it was.</summary>
internal sealed class WatchClient(Workload workload, WatchRecord record, ulong seed)
{
    private readonly Prng _prng = new(workload.World.Seed ^ seed);
    private readonly World _world = workload.World;

    /// <summary>Watches until the run is over.</summary>
    public async Task RunAsync()
    {
        while (!workload.IsOver)
        {
            var member = workload.PickMember(_prng);
            if (member is { IsUp: true, Node: { } node })
            {
                await ConnectAsync(member, member.Machine!, node);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(_prng.Between(10, 200)), _world.Outside.Time);
        }
    }

    private async Task ConnectAsync(SimulatedMember member, Machine machine, Node node)
    {
        var connection = new Connection { IsSlow = _prng.Chance(1, 4) };
        var request = MakeRequest();
        var end = _world.Now + (TimeSpan.TicksPerMillisecond * _prng.Between(500, 15_000));
        machine.Run(() => _ = GuardAsync(member, machine, ServeAsync(machine, node, request, connection)));
        while (!connection.HasEnded && machine.IsAlive && !workload.IsOver && (_world.Now < end || workload.IsStopping))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), _world.Outside.Time);
        }

        connection.HasEnded = true;
        machine.Run(connection.Cancellation.Cancel);
    }

    private WatchRequest MakeRequest()
    {
        var create = new WatchCreateRequest
        {
            Key = ByteString.CopyFromUtf8(record.Key),
            RangeEnd = ByteString.CopyFromUtf8(record.End),
            StartRevision = record.Next,
            PrevKv = record.WantsPrevious,
            ProgressNotify = true,
        };
        if (record.NoPut)
        {
            create.Filters.Add(WatchCreateRequest.Types.FilterType.Noput);
        }

        if (record.NoDelete)
        {
            create.Filters.Add(WatchCreateRequest.Types.FilterType.Nodelete);
        }

        return new WatchRequest { CreateRequest = create };
    }

    private async Task GuardAsync(SimulatedMember member, Machine machine, Task serving)
    {
        try
        {
            await serving;
        }
        catch (CorruptionException) when (member.HasRot)
        {
            // It met the flipped bit before that was healed: its client is told that the stream ended, and asks again.
        }
        catch (Exception exception) when (machine.IsAlive && exception is not OperationCanceledException && !member.IsExcused(exception))
        {
            _world.Fail($"{machine.Name} failed to serve a watch: {exception}");
        }
    }

    /// <summary>The member's side of a connection.</summary>
    private async Task ServeAsync(Machine machine, Node node, WatchRequest request, Connection connection)
    {
        using var stream = node.OpenWatchStream(default);
        await stream.RequestAsync(request, default);
        _ = AskForProgressAsync(machine, stream, connection);
        try
        {
            while (await stream.WaitAsync(connection.Cancellation.Token))
            {
                while (!connection.HasEnded && stream.TryTake(out var delivery))
                {
                    Send(machine, delivery.ToMessage(), connection);
                    if (connection.IsSlow)
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(_prng.Between(1, 300)), machine.Time);
                    }
                }
            }
        }
        finally
        {
            connection.HasEnded = true;
        }
    }

    private async Task AskForProgressAsync(Machine machine, Server.Watch.WatchStream stream, Connection connection)
    {
        while (!connection.HasEnded)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(_prng.Between(100, 3000)), machine.Time);
            await stream.RequestAsync(new WatchRequest { ProgressRequest = new WatchProgressRequest() }, connection.Cancellation.Token);
        }
    }

    /// <summary>Sends a message; a connection keeps the order.</summary>
    private void Send(Machine machine, WatchResponse response, Connection connection)
    {
        var isLost = workload.Plan.Plant == Plant.LostWatchEvent && response.Events.Count > 0 && _prng.Chance(1, 100);
        if (machine.IsAlive && !isLost)
        {
            connection.LastDue = Math.Max(_world.Now + workload.Link.Delay().Ticks, connection.LastDue + 1);
            _world.After(TimeSpan.FromTicks(connection.LastDue - _world.Now), _world.Outside, () => Receive(response, connection));
        }
    }

    private void Receive(WatchResponse response, Connection connection)
    {
        if (connection.HasEnded)
        {
            return;
        }

        if (response.CompactRevision > 0)
        {
            record.Gaps.Add((record.Next, response.CompactRevision - 1));
            record.Next = response.CompactRevision;
            connection.HasEnded = true;
        }
        else if (response.Canceled)
        {
            _world.Fail($"watch {record.Name} was ended: {response}");
        }
        else if (!response.Created)
        {
            record.Messages.Add(new WatchRecord.Message(_world.Now, response.Header.Revision, response.Events));
            var seen = response.Events.Count > 0 ? response.Events[^1].Kv.ModRevision : response.Header.Revision;
            record.Next = Math.Max(record.Next, seen + 1);
            _world.Note((ulong)record.Next);
        }
    }

    private sealed class Connection
    {
        public bool HasEnded { get; set; }

        public bool IsSlow { get; init; }

        public long LastDue { get; set; }

        public CancellationTokenSource Cancellation { get; } = new();
    }
}
