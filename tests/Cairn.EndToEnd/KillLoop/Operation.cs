namespace Cairn.EndToEnd.KillLoop;

/// <summary>Something that a writer does.</summary>
internal abstract record Operation;

/// <summary>Writes a key, guarded by the revision that the writer knows if there is one to guard.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The value, which no other operation writes.</param>
/// <param name="Lease">The lease, or 0.</param>
/// <param name="OnlyIf">The revision that the key must have, or null to write whatever it is.</param>
internal sealed record Put(string Key, string Value, long Lease, long? OnlyIf) : Operation;

/// <summary>Deletes a key.</summary>
/// <param name="Key">The key.</param>
internal sealed record Delete(string Key) : Operation;

/// <summary>Makes a lease.</summary>
/// <param name="Lease">Its id.</param>
internal sealed record Grant(long Lease) : Operation;

/// <summary>Ends a lease, and its keys with it.</summary>
/// <param name="Lease">Its id.</param>
internal sealed record Revoke(long Lease) : Operation;
