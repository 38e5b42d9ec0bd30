namespace Cairn.Storage.Revisions;

/// <summary>What a record of the revision log says about its key. The numbers are on disk.</summary>
public enum RecordKind : byte
{
    /// <summary>The key has a value from this revision on.</summary>
    Put = 1,

    /// <summary>The key does not exist from this revision on.</summary>
    Tombstone = 2,
}
