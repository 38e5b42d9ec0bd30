namespace Cairn.Raft;

/// <summary>What a look into the log found.</summary>
public enum LogResult
{
    /// <summary>What was asked for.</summary>
    Found = 0,

    /// <summary>The entries were compacted away: a snapshot stands for them.</summary>
    Compacted,

    /// <summary>The log does not reach that far.</summary>
    Unavailable,
}

/// <summary>The durable part of the log, as the core reads it. The owner of the core writes it, between two calls of the core.</summary>
/// <remarks>
/// All answers are about what is durable and must not change while the core is in a call. Failures of the environment are exceptions, and end the member.
/// Source: etcd-io/raft, storage.go (Storage).
/// </remarks>
public interface IRaftLog
{
    /// <summary>The first index of which the entry is there; one more than the last compacted one.</summary>
    ulong FirstIndex { get; }

    /// <summary>The last index; <see cref="FirstIndex"/> - 1 if there are no entries.</summary>
    ulong LastIndex { get; }

    /// <summary>What was remembered before the start. Read once, when the core is created.</summary>
    /// <returns>Hard state, and the configuration at the newest snapshot.</returns>
    (HardState HardState, ConfState ConfState) ReadInitialState();

    /// <summary>Finds the term of an entry.</summary>
    /// <param name="index">From <see cref="FirstIndex"/> - 1, of which the term is kept, to <see cref="LastIndex"/>.</param>
    /// <param name="term">The term, or 0.</param>
    /// <returns>Whether the term is known.</returns>
    LogResult TryGetTerm(ulong index, out ulong term);

    /// <summary>Reads consecutive entries.</summary>
    /// <param name="low">First index.</param>
    /// <param name="high">Index after the last, above <paramref name="low"/>.</param>
    /// <param name="bytesMax">Sum of encoded sizes (<see cref="Wire.EntryWire.Size(in Entry)"/>) not to exceed; one entry is given in any case.</param>
    /// <param name="entries">The longest prefix that fits. Shared: nobody changes it, not even after further appends.</param>
    /// <returns>Whether the entries are there.</returns>
    LogResult TryGetEntries(ulong low, ulong high, ulong bytesMax, out ReadOnlyMemory<Entry> entries);

    /// <summary>Gives the snapshot to send to a peer that needs compacted entries.</summary>
    /// <returns>The newest snapshot, or null while there is none to give; the core asks again later.</returns>
    Snapshot? TryGetSnapshot();
}
