using Cairn.State.Mvcc;
using Cairn.Storage.Revisions;

namespace Cairn.State.Persistence;

/// <summary>Takes the chunks of an index checkpoint, in their order, before <see cref="StateMachine.Open"/>. One user.</summary>
public sealed class IndexCheckpointReader
{
    private readonly IndexBuilder _builder = new();
    private readonly List<(byte[] Key, long Lease)> _leased = [];
    private bool _isBegun;

    /// <summary>Revision of the index.</summary>
    public long Revision { get; private set; }

    /// <summary>Keys taken so far.</summary>
    public long KeyCount => _builder.Count;

    /// <summary>Keys whose newest version names a lease.</summary>
    internal IReadOnlyList<(byte[] Key, long Lease)> Leased => _leased;

    /// <summary>Takes the next chunk.</summary>
    /// <param name="chunk">As it was written; not kept.</param>
    /// <returns>False if it is no chunk of a format that this version knows: the checkpoint is of no use.</returns>
    public bool TryAdd(ReadOnlySpan<byte> chunk)
    {
        var reader = new CheckpointChunk(chunk);
        var kind = reader.Number();
        if (!_isBegun)
        {
            _isBegun = true;
            var format = reader.Number();
            Revision = (long)reader.Number();
            return kind == IndexCheckpointWriter.HeadChunk && format == IndexCheckpointWriter.Format && !reader.IsBroken;
        }

        if (kind != IndexCheckpointWriter.KeysChunk)
        {
            return false;
        }

        byte[] previous = [];
        while (!reader.IsAtEnd && !reader.IsBroken)
        {
            previous = TakeKey(ref reader, previous);
        }

        return !reader.IsBroken;
    }

    internal KeyIndex Build() => _builder.Build();

    private byte[] TakeKey(ref CheckpointChunk reader, byte[] previous)
    {
        var shared = (int)reader.Number();
        var rest = reader.Bytes((int)reader.Number());
        var count = (int)reader.Number();
        var lease = (long)reader.Number();
        var numbers = new RecordNumbers((long)reader.Number(), (long)reader.Number());
        if (reader.IsBroken || shared > previous.Length || count <= 0)
        {
            reader.IsBroken = true;
            return previous;
        }

        var key = GC.AllocateUninitializedArray<byte>(shared + rest.Length);
        previous.AsSpan(0, shared).CopyTo(key);
        rest.CopyTo(key.AsSpan(shared));
        if (TakeVersions(ref reader, key, count, numbers) is { } history)
        {
            _builder.Add(history);
        }

        if (lease != 0)
        {
            _leased.Add((key, lease));
        }

        return key;
    }

    private static KeyHistory? TakeVersions(ref CheckpointChunk reader, byte[] key, int count, RecordNumbers numbers)
    {
        KeyHistory? history = null;
        long main = 0;
        for (var i = 0; i < count && !reader.IsBroken; i++)
        {
            main += (long)reader.Number();
            var subAndFlags = (int)reader.Number();
            var place = new RecordPlace((uint)reader.Number(), (uint)reader.Number(), (int)reader.Number());
            if (reader.IsBroken)
            {
                break;
            }

            var version = RecordVersion.Loaded(main, subAndFlags, place);
            if (history is null)
            {
                history = new KeyHistory(key, version, numbers);
            }
            else
            {
                history.Append(version);
            }
        }

        return history;
    }

    /// <summary>Reads a chunk's numbers and keys.</summary>
    private ref struct CheckpointChunk(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public bool IsBroken { get; set; }

        public readonly bool IsAtEnd => _rest.IsEmpty;

        public ulong Number()
        {
            ulong value = 0;
            for (var i = 0; i < _rest.Length && i < 10; i++)
            {
                var b = _rest[i];
                value |= (ulong)(b & 0x7F) << (7 * i);
                if (b < 0x80)
                {
                    _rest = _rest[(i + 1)..];
                    return value;
                }
            }

            IsBroken = true;
            return 0;
        }

        public ReadOnlySpan<byte> Bytes(int length)
        {
            if (length < 0 || length > _rest.Length)
            {
                IsBroken = true;
                return default;
            }

            var value = _rest[..length];
            _rest = _rest[length..];
            return value;
        }
    }
}
