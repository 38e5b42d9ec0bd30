namespace Cairn.Server.Recovery;

/// <summary>What members without a leader ask of each other, on the peer port.</summary>
internal static class RecoveryPaths
{
    /// <summary>Asks for a promise to a new epoch.</summary>
    public const string Promise = "/cairn/recover/promise";

    /// <summary>Hands on what a person decided, to the survivor that founds the epoch.</summary>
    public const string Wish = "/cairn/recover/wish";
}
