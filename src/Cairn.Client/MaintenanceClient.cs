using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>What operators do. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class MaintenanceClient
{
    private readonly Caller _caller;

    internal MaintenanceClient(Caller caller) => _caller = caller;

    /// <summary>Asks one member how it is.</summary>
    /// <param name="endpoint">The member's address.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<StatusResponse> StatusAsync(string endpoint, CancellationToken cancelled = default) =>
        _caller.CallAtAsync(endpoint, Methods.Status, new StatusRequest(), cancelled);

    /// <summary>Lists the alarms.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<AlarmResponse> AlarmsAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Alarm, new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Get }, Repeat.Always, cancelled);

    /// <summary>Takes alarms back.</summary>
    /// <param name="alarm">The alarm; with member 0 and type NONE, all there are.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The alarms that were taken back.</returns>
    public async Task<IReadOnlyList<AlarmMember>> DisarmAsync(AlarmMember alarm, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(alarm);
        bool all = alarm.MemberID == 0 && alarm.Alarm == AlarmType.None;
        IEnumerable<AlarmMember> wanted = all ? (await AlarmsAsync(cancelled).ConfigureAwait(false)).Alarms : [alarm];
        var disarmed = new List<AlarmMember>();
        foreach (AlarmMember one in wanted)
        {
            var request = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, MemberID = one.MemberID, Alarm = one.Alarm };
            disarmed.AddRange((await _caller.CallAsync(Methods.Alarm, request, Repeat.Always, cancelled).ConfigureAwait(false)).Alarms);
        }

        return disarmed;
    }

    /// <summary>Returns free space of one member to its file system, where the server needs that.</summary>
    /// <param name="endpoint">The member's address.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<DefragmentResponse> DefragmentAsync(string endpoint, CancellationToken cancelled = default) =>
        _caller.CallAtAsync(endpoint, Methods.Defragment, new DefragmentRequest(), cancelled);

    /// <summary>Hashes all that one member stores.</summary>
    /// <param name="endpoint">The member's address.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<HashResponse> HashAsync(string endpoint, CancellationToken cancelled = default) =>
        _caller.CallAtAsync(endpoint, Methods.Hash, new HashRequest(), cancelled);

    /// <summary>Hashes the key space of one member up to a revision.</summary>
    /// <param name="endpoint">The member's address.</param>
    /// <param name="revision">The revision, or 0 for the current one.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer; equal members answer equal hashes for equal revisions and compaction revisions.</returns>
    public Task<HashKVResponse> HashKvAsync(string endpoint, long revision = 0, CancellationToken cancelled = default) =>
        _caller.CallAtAsync(endpoint, Methods.HashKv, new HashKVRequest { Revision = revision }, cancelled);

    /// <summary>Hands leadership over.</summary>
    /// <param name="leaderEndpoint">The leader's address: no other member does it.</param>
    /// <param name="target">The member that shall lead.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<MoveLeaderResponse> MoveLeaderAsync(string leaderEndpoint, ulong target, CancellationToken cancelled = default) =>
        _caller.CallAtAsync(leaderEndpoint, Methods.MoveLeader, new MoveLeaderRequest { TargetID = target }, cancelled);

    /// <summary>Validates, starts or cancels the way down to the version before.</summary>
    /// <param name="request">What to do.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<DowngradeResponse> DowngradeAsync(DowngradeRequest request, CancellationToken cancelled = default) =>
        _caller.CallAsync(Methods.Downgrade, request, Repeat.IfNeverSent, cancelled);

    /// <summary>Copies all that one member stores, and checks that the copy is whole.</summary>
    /// <param name="endpoint">The member's address.</param>
    /// <param name="destination">Where the copy is written, its checksum of 32 bytes at the end included.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="InvalidDataException">The copy is not what the member sent; it must not be used.</exception>
    public async Task<long> SnapshotAsync(string endpoint, Stream destination, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(destination);
        GrpcStream<SnapshotRequest, SnapshotResponse> stream =
            await _caller.OpenAsync(_caller.Ring.At(endpoint), Methods.Snapshot, cancelled).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            await Streams.WriteAsync(stream, new SnapshotRequest()).ConfigureAwait(false);
            stream.CompleteWriting();
            var check = new TrailingChecksum();
            while (await Streams.ReadAsync(stream).ConfigureAwait(false) is { } piece)
            {
                check.Append(piece.Blob.Span);
                await destination.WriteAsync(piece.Blob.Memory, cancelled).ConfigureAwait(false);
            }

            return check.Verify();
        }
    }

    // The last 32 bytes are the SHA-256 of all before them, so those have to be held back until it is known that more follow.
    private sealed class TrailingChecksum
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly List<byte> _held = [];
        private long _length;

        public void Append(ReadOnlySpan<byte> bytes)
        {
            _length += bytes.Length;
            int released = Math.Max(0, _held.Count + bytes.Length - SHA256.HashSizeInBytes);
            int fromHeld = Math.Min(released, _held.Count);
            _hash.AppendData(CollectionsMarshal.AsSpan(_held)[..fromHeld]);
            _held.RemoveRange(0, fromHeld);
            _hash.AppendData(bytes[..(released - fromHeld)]);
            _held.AddRange(bytes[(released - fromHeld)..]);
        }

        public long Verify()
        {
            using (_hash)
            {
                Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
                _hash.GetHashAndReset(expected);
                return expected.SequenceEqual(CollectionsMarshal.AsSpan(_held)) ? _length : throw new InvalidDataException("the snapshot does not match its checksum");
            }
        }
    }
}
