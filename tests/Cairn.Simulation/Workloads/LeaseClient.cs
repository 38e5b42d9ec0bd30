using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Histories;
using Google.Protobuf;

namespace Cairn.Simulation.Workloads;

/// <summary>Takes a lease, hangs a key on it, keeps it alive for a while, and lets go of it, politely or not.</summary>
internal sealed class LeaseClient(Workload workload, int number) : Client(workload, number)
{
    private int _leases;

    protected override async Task WorkAsync()
    {
        var id = (Number * 1_000_000L) + ++_leases;
        var lease = new LeaseRecord { Id = id, Key = $"lease/{id}" };
        var asked = Now;
        var grant = new LeaseGrantRequest { ID = id, TTL = Prng.Between(2, 5) };
        if (await CallAsync(null, node => node.LeaseGrantAsync(grant, default)) is not { } granted)
        {
            return;
        }

        History.Leases.Add(lease);
        lease.Renew(asked, granted.TTL);
        if (!await PutAsync(lease))
        {
            return;
        }

        for (var renewals = Prng.Below(6); renewals > 0 && !Workload.IsStopping; renewals--)
        {
            await DelayAsync(TimeSpan.FromSeconds(granted.TTL) / Prng.Between(2, 4));
            if (!await RenewAsync(lease))
            {
                return;
            }
        }

        if (Prng.Chance(1, 3))
        {
            lease.Revoked = Now;
            await CallAsync(null, node => node.LeaseRevokeAsync(new LeaseRevokeRequest { ID = id }, default));
        }
    }

    private async Task<bool> PutAsync(LeaseRecord lease)
    {
        var operation = Begin($"put {lease.Key}");
        operation.Puts.Add((lease.Key, NextValue()));
        var request = new PutRequest { Key = ByteString.CopyFromUtf8(lease.Key), Value = ByteString.CopyFromUtf8(operation.Puts[0].Value), Lease = lease.Id };
        if (await CallAsync(operation, node => node.PutAsync(request, default)) is { } response)
        {
            Finish(operation, response.Header);
            operation.Wrote = true;
        }
        else if (LastError == NodeError.LeaseNotFound)
        {
            RequireEnded(lease);
        }

        return operation.End == OperationEnd.Done;
    }

    /// <summary>Renews.</summary>
    /// <returns>False if the lease is gone.</returns>
    private async Task<bool> RenewAsync(LeaseRecord lease)
    {
        var asked = Now;
        var response = await CallAsync(null, node => node.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = lease.Id }, default));
        if (response is { TTL: > 0 })
        {
            lease.Renew(asked, response.TTL);
            Workload.Answered++;
            return true;
        }

        if (response is not null)
        {
            RequireEnded(lease);
        }

        return response is null;
    }

    private void RequireEnded(LeaseRecord lease)
    {
        if (Now < lease.Deadline)
        {
            Workload.World.Fail($"lease {lease.Id} is gone {TimeSpan.FromTicks(lease.Deadline - Now).TotalSeconds:F3} s before its time");
        }
    }
}
