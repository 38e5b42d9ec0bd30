using Cairn.State;

namespace Cairn.Server;

/// <summary>Tells a refusal of the state machine as a refusal of the node: the names are the same.</summary>
internal static class StoreErrors
{
    private static readonly NodeError[] Mapped = [.. Enum.GetValues<StoreError>().Select(Map)];

    /// <summary>Maps a refusal.</summary>
    /// <param name="error">What the state machine said.</param>
    /// <returns>What the node says.</returns>
    public static NodeError ToNodeError(this StoreError error) => Mapped[(int)error];

    private static NodeError Map(StoreError error)
    {
        Invariant.Holds(Enum.TryParse<NodeError>(error.ToString(), out var mapped), $"{error}");
        return mapped;
    }
}
