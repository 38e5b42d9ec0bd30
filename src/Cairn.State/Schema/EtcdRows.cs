using System.Buffers.Binary;
using Cairn.Bbolt;
using Cairn.State.Mvcc;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Schema;

/// <summary>Walks over the rows of an etcd backend file in the order of their revisions, and verifies that each can be one. One user at a time.</summary>
/// <remarks>
/// The row that etcdutl adds when it raises the revision of a restored store has neither key nor value. It only says which revision is the newest, and is
/// passed over.
/// </remarks>
public sealed class EtcdRows
{
    // As many as a transaction may change, and more than etcd was ever seen to number.
    private const long SubMax = (1 << 28) - 1;

    private readonly string _path;
    private readonly BboltCursor? _cursor;

    internal EtcdRows(string path, BboltFile file)
    {
        _path = path;
        _cursor = file.TryOpenBucket(SchemaNames.Key, out var bucket) ? bucket.OpenCursor() : null;
    }

    /// <summary>What the row says.</summary>
    public RecordKind Kind { get; private set; }

    /// <summary>Its revision.</summary>
    public Revision Revision { get; private set; }

    /// <summary>Its bytes; valid until the next move.</summary>
    public ReadOnlySpan<byte> Payload => Cursor.Value;

    /// <summary>The newest revision that was met, also on rows that are passed over.</summary>
    public long LastMain { get; private set; }

    private BboltCursor Cursor => _cursor ?? throw Invariant.Unreachable("read a row where there is none");

    /// <summary>Moves to the next row.</summary>
    /// <returns>False after the last.</returns>
    /// <exception cref="CorruptionException">What stands there is no row.</exception>
    /// <exception cref="BboltCorruptionException">The file is damaged where it had to be read.</exception>
    public bool MoveNext()
    {
        while (_cursor is not null && _cursor.MoveNext())
        {
            TakeKey();
            if (!Cursor.Value.IsEmpty)
            {
                VerifyRow();
                return true;
            }
        }

        return false;
    }

    private void TakeKey()
    {
        var key = Cursor.Key;
        var isTombstone = key.Length == RowCodec.TombstoneKeyLength && key[^1] == (byte)'t';
        if ((key.Length != RowCodec.RevisionKeyLength && !isTombstone) || key[8] != (byte)'_')
        {
            throw Damage($"a row of the key space has a key of {key.Length} bytes that is no revision");
        }

        var (main, sub) = (BinaryPrimitives.ReadInt64BigEndian(key), BinaryPrimitives.ReadInt64BigEndian(key[9..]));
        if (main is < 1 or long.MaxValue || sub is < 0 or > SubMax || (LastMain > 0 && new Revision(main, (int)sub) <= Revision))
        {
            throw Damage($"a row of the key space has revision {main}.{sub} after {Revision.Main}.{Revision.Sub}");
        }

        var revision = new Revision(main, (int)sub);
        (Kind, Revision, LastMain) = (isTombstone ? RecordKind.Tombstone : RecordKind.Put, revision, revision.Main);
    }

    private void VerifyRow()
    {
        if (!RowCodec.TryDecode(Cursor.Value, out var fields, out _, out _))
        {
            throw Damage($"the row of revision {Revision.Main}.{Revision.Sub} is no key with its value");
        }

        var isSound = Kind == RecordKind.Tombstone
            ? fields == default
            : fields.ModRevision == Revision.Main && fields.CreateRevision >= 1 && fields.CreateRevision <= fields.ModRevision && fields.Version >= 1;
        if (!isSound)
        {
            throw Damage($"the row of revision {Revision.Main}.{Revision.Sub} says: created at {fields.CreateRevision}, changed at {fields.ModRevision}, version {fields.Version}");
        }
    }

    private CorruptionException Damage(string what) => new(_path, Cursor.Offset, what);
}
