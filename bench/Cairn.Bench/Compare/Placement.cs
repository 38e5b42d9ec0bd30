namespace Cairn.Bench.Compare;

/// <summary>Where server and clients run.</summary>
/// <param name="Name">How the table calls it.</param>
/// <param name="ServerProcessor">The one processor of the server, or null for any.</param>
/// <param name="ClientProcessor">The one processor of the clients, or null for any.</param>
internal sealed record Placement(string Name, int? ServerProcessor, int? ClientProcessor)
{
    /// <summary>Both run where the system puts them.</summary>
    public static readonly Placement Free = new("free", null, null);

    /// <summary>The server has the first processor, the clients the second.</summary>
    public static readonly Placement Pinned = new("pinned", 0, 1);
}
