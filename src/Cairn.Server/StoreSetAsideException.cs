namespace Cairn.Server;

/// <summary>The store of this member is not to be served any more. The data directory is to be opened again: it then fetches the store from other members.</summary>
/// <param name="reason">What is wrong with it.</param>
public sealed class StoreSetAsideException(string reason) : Exception($"the store of this member is set aside: {reason}");
