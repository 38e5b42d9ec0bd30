using System.Reflection;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cairn.Host.Listening;

/// <summary>Mends what Kestrel leaves behind in a stream object of HTTP/2 that it uses again: without it, now and then an answer is never sent.</summary>
/// <remarks>
/// A stream object that has something to send is queued, and marked as queued; whoever takes it from the queue sends, and takes the mark away. One that was queued once more while its
/// last answer ended (the client gave the window more room, or took the call back, at that moment) is dropped from the queue with its mark on. The call that uses the object next is never
/// queued, so its answer stays where it is, and the client waits until its deadline. At the start of a call nothing is there to be sent, so the mark can be taken away then; a stream that
/// is still in the queue is sent from twice, which finds nothing the second time. Source: https://github.com/dotnet/aspnetcore/issues/53736, open in 10.0.12.
/// </remarks>
internal static class StreamReuse
{
    private const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;

    private static readonly FieldInfo? Output = typeof(KestrelServer).Assembly.GetType("Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http2.Http2Stream")?.GetField("_http2Output", Hidden);
    private static readonly FieldInfo? IsQueued = Output?.FieldType.GetField("_isScheduled", Hidden) is { } mark && mark.FieldType == typeof(bool) ? mark : null;
    private static readonly object No = false;

    /// <summary>Takes the mark away, if this is a stream of HTTP/2. Called before anything is written to the stream.</summary>
    /// <param name="features">What Kestrel hands over for a request.</param>
    public static void Mend(IFeatureCollection features)
    {
        // A version of Kestrel without these fields has other ways, and perhaps other faults.
        if (IsQueued is not null && Output!.DeclaringType!.IsInstanceOfType(features) && Output.GetValue(features) is { } output) // The mark was looked for in the type of that field.
        {
            IsQueued.SetValue(output, No);
        }
    }
}
