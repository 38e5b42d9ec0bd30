namespace Cairn.Server;

/// <summary>What the node was told does not fit its data directory or itself; to be told otherwise is the only help.</summary>
/// <param name="message">What does not fit, and what to do.</param>
public sealed class StartRefusedException(string message) : Exception(message);
