namespace Cairn.Server;

/// <summary>The cluster goes on as another one, a majority of it having been lost: the node has ended so that its directory is opened again, to found that or to join it.</summary>
/// <param name="message">What happened.</param>
public sealed class EpochEndedException(string message) : Exception(message);
