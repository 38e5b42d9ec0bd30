namespace Cairn.Bench.Compare;

/// <summary>A server that takes part in a comparison.</summary>
/// <param name="Name">How the table calls it.</param>
/// <param name="Executable">The program.</param>
/// <param name="Arguments">Flags in addition to addresses and data directory.</param>
internal sealed record Contestant(string Name, string Executable, IReadOnlyList<string> Arguments);
