using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>One version of one key in the index: when it was made, and where its row lies. 24 bytes.</summary>
internal readonly struct RecordVersion
{
    private const int TombstoneBit = 1;
    private const int LeaseBit = 2;
    private const int FlagBits = 2;

    private readonly long _main;
    private readonly int _subAndFlags;

    private RecordVersion(long main, int subAndFlags, RecordPlace place)
    {
        Invariant.Holds(main > 0 && subAndFlags >= 0);
        _main = main;
        _subAndFlags = subAndFlags;
        Place = place;
    }

    public RecordPlace Place { get; }

    public long Main => _main;

    public int Sub => _subAndFlags >> FlagBits;

    public bool IsTombstone => (_subAndFlags & TombstoneBit) != 0;

    /// <summary>Whether the row names a lease; which one, only the row says.</summary>
    public bool HasLease => (_subAndFlags & LeaseBit) != 0;

    public Revision Revision => new(_main, Sub);

    /// <summary>Sub revision and kind as one number, for the checkpoint.</summary>
    public int SubAndFlags => _subAndFlags;

    public static RecordVersion Put(Revision revision, bool hasLease, RecordPlace place) => Of(revision, hasLease ? LeaseBit : 0, place);

    public static RecordVersion Tombstone(Revision revision, RecordPlace place) => Of(revision, TombstoneBit, place);

    /// <summary>Makes a version from what a checkpoint says.</summary>
    public static RecordVersion Loaded(long main, int subAndFlags, RecordPlace place) => new(main, subAndFlags, place);

    /// <summary>The same version, its row in another place.</summary>
    public RecordVersion At(RecordPlace place) => new(_main, _subAndFlags, place);

    private static RecordVersion Of(Revision revision, int flags, RecordPlace place)
    {
        Invariant.Holds(revision.Sub >= 0 && revision.Sub < 1 << (31 - FlagBits));
        return new RecordVersion(revision.Main, (revision.Sub << FlagBits) | flags, place);
    }
}
