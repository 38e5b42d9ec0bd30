using Cairn.Protocol;

namespace Cairn.Simulation.Histories;

/// <summary>What there was before anything that was seen to happen.</summary>
/// <param name="Revision">The revision.</param>
/// <param name="Rows">All rows as of it, in order of their keys.</param>
internal sealed record Baseline(long Revision, IReadOnlyList<KeyValue> Rows);
