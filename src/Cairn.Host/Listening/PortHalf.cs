using System.Net;

namespace Cairn.Host.Listening;

/// <summary>One of the two endpoints that Kestrel sees of a <see cref="SharedPort"/>; it serves one protocol on each.</summary>
/// <param name="port">The port that both halves share.</param>
/// <param name="protocol">The protocol of this half.</param>
internal sealed class PortHalf(SharedPort port, Preface protocol) : EndPoint
{
    /// <summary>The port that both halves share.</summary>
    public SharedPort Port { get; } = port;

    /// <summary>Which connections come out of this half.</summary>
    public Preface Protocol { get; } = protocol;

    /// <inheritdoc/>
    public override string ToString() => Port.EndPoint.ToString() ?? "";
}
