namespace Cairn.Raft.Log;

/// <summary>Names an entry: in one term one leader writes, and it writes an index once.</summary>
internal readonly record struct EntryId(ulong Term, ulong Index);
