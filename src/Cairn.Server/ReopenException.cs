namespace Cairn.Server;

/// <summary>The node has ended so that its data directory is opened again: as the founder of a new epoch, as one that asks for a place, or to fetch its store again.</summary>
/// <param name="message">What happened.</param>
public sealed class ReopenException(string message) : Exception(message);
