namespace Cairn.Storage.Revisions;

/// <summary>Reads history in revision order: for watchers that are behind, hashes over the key space, and rebuilding the index. Each record comes once.</summary>
/// <remarks>
/// One user at a time, any thread; needs no disposal. Sees what had been appended when it was made, no more. Records that a compaction made superfluous
/// appear until the cleaner has dropped them: who must not see them asks the index. Read errors (<see cref="IOException"/>) pass through.
/// </remarks>
public sealed class RevisionLogReader
{
    private readonly MergeCursor _cursor;
    private Revision _last = new(long.MinValue, 0);

    internal RevisionLogReader(MergeCursor cursor) => _cursor = cursor;

    /// <summary>What the record says.</summary>
    public RecordKind Kind => _cursor.Current.Kind;

    /// <summary>Its revision.</summary>
    public Revision Revision => _cursor.Current.Revision;

    /// <summary>Where it lies; one of the places, if it is being moved.</summary>
    public RecordPlace Place => _cursor.Current.Place;

    /// <summary>Its payload, verified; valid until the next move.</summary>
    public ReadOnlySpan<byte> Payload => _cursor.Current.Payload;

    /// <summary>Moves to the next record.</summary>
    /// <returns>False after the last; the properties must not be used then.</returns>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    public bool MoveNext()
    {
        while (_cursor.MoveNext())
        {
            var revision = _cursor.Current.Revision;
            if (revision > _last)
            {
                _last = revision;
                return true;
            }

            Invariant.Holds(revision == _last, $"revision {revision} after {_last}");
        }

        return false;
    }
}
