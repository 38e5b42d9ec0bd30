using System.Security.Cryptography;
using Cairn.Protocol;
using Cairn.Server.Transfer;
using Cairn.State.Schema;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Server.Reads;

/// <summary>What Maintenance.Snapshot streams: a backend file, piece by piece, then its SHA-256. Owned by the call that asked; not thread-safe.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3rpc/maintenance.go.</remarks>
public sealed class SnapshotPieces : IDisposable
{
    // etcd sends 32 KiB; a message costs the same whatever it carries, and these stay far below what any client accepts.
    private const int PieceBytes = 128 * 1024;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IEnumerator<ReadOnlyMemory<byte>> _chunks;
    private readonly string _version;
    private readonly Throttle _throttle;
    private readonly NodeRuntime _node;
    private readonly long _began;
    private long _remaining;
    private bool _isComplete;

    /// <summary>Starts before the first piece.</summary>
    /// <param name="image">The file.</param>
    /// <param name="throttle">Limits the rate.</param>
    /// <param name="node">The node, which is told of damaged rows.</param>
    internal SnapshotPieces(StateImage image, Throttle throttle, NodeRuntime node)
    {
        _throttle = throttle;
        _node = node;
        _began = node.Time.GetTimestamp();
        _chunks = image.File.Emit(PieceBytes).GetEnumerator();
        _remaining = image.File.Length;
        _version = SchemaImage.StorageVersion(image.Capture.Members);
    }

    /// <summary>Makes the next piece, when the rate allows it; reads rows on the caller's thread.</summary>
    /// <param name="cancelled">Ends the wait.</param>
    /// <returns>The piece, valid until the next one is asked for; null after the checksum.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    public async ValueTask<SnapshotResponse?> NextAsync(CancellationToken cancelled)
    {
        if (_isComplete)
        {
            return null;
        }

        if (!MoveNext())
        {
            Invariant.Holds(_remaining == 0);
            _isComplete = true;
            return new SnapshotResponse { Blob = ByteString.CopyFrom(_hash.GetHashAndReset()), Version = _version };
        }

        await _throttle.PassAsync(_chunks.Current.Length, cancelled);
        _hash.AppendData(_chunks.Current.Span);
        _remaining -= _chunks.Current.Length;
        return new SnapshotResponse { RemainingBytes = (ulong)_remaining, Blob = UnsafeByteOperations.UnsafeWrap(_chunks.Current), Version = _version };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _chunks.Dispose();
        _hash.Dispose();
        _node.Metrics.Saves.Observe(_node.Time.GetElapsedTime(_began).TotalSeconds);
    }

    private bool MoveNext()
    {
        try
        {
            return _chunks.MoveNext();
        }
        catch (CorruptionException damage)
        {
            _node.Disks.Damage.Note(damage);
            throw;
        }
    }
}
