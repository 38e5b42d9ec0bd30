using Cairn.Protocol;
using Cairn.State.Auth;
using Cairn.State.Lease;
using Google.Protobuf;

namespace Cairn.State.Entries;

/// <summary>What came of a request: an error, or an answer; and what else changed.</summary>
internal readonly record struct RequestOutcome(StoreError Error, IMessage? Response = null, ApplyEffect? Effect = null)
{
    public static implicit operator RequestOutcome(StoreError error) => new(error);
}

/// <summary>Finds out what a request asks for, whether alarms and permissions allow it, and has it done.</summary>
/// <remarks>
/// In etcd's order: administrators' requests are checked first; then a raised alarm refuses, whoever asks; then permissions.
/// Source: etcd server/etcdserver/apply (uber_applier.go, corrupt.go, apply_auth.go), v3.6.14.
/// </remarks>
internal static class RequestDispatch
{
    public static RequestOutcome Apply(StateParts parts, StateOptions options, InternalRaftRequest request, AuthIdentity identity, ulong index)
    {
        if (EntryPermissions.NeedsAdmin(request))
        {
            var error = parts.Auth.CheckAdmin(identity);
            return error != StoreError.None ? error : AuthDispatch.ApplyAdmin(parts, request);
        }

        var refusal = Refusal(parts, request);
        return refusal != StoreError.None ? refusal : ApplyAllowed(parts, options, request, identity, index);
    }

    /// <summary>What raised alarms forbid.</summary>
    private static StoreError Refusal(StateParts parts, InternalRaftRequest request)
    {
        if (parts.Alarms.IsCorrupt
            && (request.Put is not null || request.Range is not null || request.DeleteRange is not null || request.Txn is not null
                || request.Compaction is not null || request.LeaseGrant is not null || request.LeaseRevoke is not null))
        {
            return StoreError.Corrupt;
        }

        var takesSpace = request.Put is not null || request.LeaseGrant is not null || (request.Txn is { } txn && RequestValidation.Cost(txn) > 0);
        return parts.Alarms.IsSpaceExceeded && takesSpace ? StoreError.NoSpace : StoreError.None;
    }

    private static RequestOutcome ApplyAllowed(StateParts parts, StateOptions options, InternalRaftRequest request, AuthIdentity identity, ulong index)
    {
        if (request.Txn is { } txn)
        {
            return Txn(parts, txn, identity);
        }

        if (request.Put is { } put)
        {
            return Put(parts, put, identity);
        }

        if (request.DeleteRange is { } deletion)
        {
            return Delete(parts, deletion, identity);
        }

        if (request.Range is { } range)
        {
            return Range(parts, range, identity);
        }

        if (request.Compaction is { } compaction)
        {
            return Compact(parts, options, compaction);
        }

        if (request.Alarm is { } alarm)
        {
            return Alarm(parts, alarm);
        }

        return request.LeaseGrant is not null || request.LeaseRevoke is not null || request.LeaseCheckpoint is not null
            ? ApplyLease(parts, request, identity)
            : ClusterDispatch.TryApply(parts, request, index, out var outcome) ? outcome : AuthDispatch.Apply(parts, request, identity, index);
    }

    private static RequestOutcome Txn(StateParts parts, TxnRequest request, AuthIdentity identity)
    {
        var error = EntryPermissions.Check(parts.Auth, parts.Leases, identity, request);
        if (error != StoreError.None)
        {
            return error;
        }

        error = parts.Commands.Txn(request, out var response);
        return new RequestOutcome(error, response);
    }

    private static RequestOutcome Put(StateParts parts, PutRequest request, AuthIdentity identity)
    {
        var error = EntryPermissions.Check(parts.Auth, parts.Leases, identity, request);
        if (error != StoreError.None)
        {
            return error;
        }

        error = parts.Commands.Put(request, out var response);
        return new RequestOutcome(error, response);
    }

    private static RequestOutcome Delete(StateParts parts, DeleteRangeRequest request, AuthIdentity identity)
    {
        var error = EntryPermissions.Check(parts.Auth, identity, request);
        return error != StoreError.None ? error : new RequestOutcome(error, parts.Commands.DeleteAlone(request));
    }

    private static RequestOutcome Range(StateParts parts, RangeRequest request, AuthIdentity identity)
    {
        var error = EntryPermissions.Check(parts.Auth, identity, request);
        if (error != StoreError.None)
        {
            return error;
        }

        error = Mvcc.RangeReader.Read(parts.Keys.View, request, out var result);
        return new RequestOutcome(error, error == StoreError.None ? result.ToMessage() : null);
    }

    private static RequestOutcome Compact(StateParts parts, StateOptions options, CompactionRequest request)
    {
        var previous = parts.Keys.CompactedRevision;
        var error = parts.Keys.Compact(request.Revision);
        if (error != StoreError.None)
        {
            return error;
        }

        parts.Sweep.Schedule(previous, options.HashesCompactions);
        return new RequestOutcome(error, new CompactionResponse { Header = HeaderOf(parts) }, new CompactionScheduled(request.Revision));
    }

    private static RequestOutcome Alarm(StateParts parts, AlarmRequest request)
    {
        var (table, named) = parts.Alarms.Apply(request);
        var isChanged = table != parts.Alarms;
        parts.Alarms = table;
        var response = new AlarmResponse { Header = HeaderOf(parts) };
        response.Alarms.AddRange(named.Select(alarm => new AlarmMember { MemberID = alarm.MemberId, Alarm = alarm.Kind }));
        return new RequestOutcome(StoreError.None, response, isChanged ? new AlarmsChanged() : null);
    }

    private static RequestOutcome ApplyLease(StateParts parts, InternalRaftRequest request, AuthIdentity identity)
    {
        if (request.LeaseGrant is { } grant)
        {
            var error = parts.Leases.Grant(grant.ID, grant.TTL, out var lease);
            var granted = new LeaseGrantResponse { Header = HeaderOf(parts), ID = lease.Id, TTL = lease.GrantedTtl };
            return error != StoreError.None ? error : new RequestOutcome(error, granted, new LeaseGranted(lease));
        }

        if (request.LeaseRevoke is { } revoke)
        {
            var error = EntryPermissions.CheckLease(parts.Auth, parts.Leases, identity, revoke.ID);
            error = error != StoreError.None ? error : parts.Commands.Revoke(revoke.ID);
            return error != StoreError.None
                ? error
                : new RequestOutcome(error, new LeaseRevokeResponse { Header = HeaderOf(parts) }, new LeaseRevoked(revoke.ID));
        }

        return Checkpoint(parts, request.LeaseCheckpoint);
    }

    private static RequestOutcome Checkpoint(StateParts parts, LeaseCheckpointRequest request)
    {
        var leases = new List<LeaseInfo>();
        foreach (var checkpoint in request.Checkpoints)
        {
            parts.Leases.Checkpoint(checkpoint.ID, LeaseInfo.RemainingOf(checkpoint.RemainingTTL, checkpoint.CairnRoundedUp));
            if (parts.Leases.TryGet(checkpoint.ID, out var lease))
            {
                leases.Add(lease);
            }
        }

        return new RequestOutcome(StoreError.None, new LeaseCheckpointResponse { Header = HeaderOf(parts) }, new LeasesCheckpointed([.. leases]));
    }

    internal static ResponseHeader HeaderOf(StateParts parts) => new() { Revision = parts.Keys.Revision };
}
