using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Cairn.Host.Listening;

/// <summary>Looks at the first bytes of a connection and leaves every one of them to whoever reads next.</summary>
/// <param name="input">What the connection sends.</param>
/// <remarks>Used by one caller, step after step, before anybody else reads.</remarks>
internal sealed class ReadAhead(PipeReader input)
{
    private long _examined;

    /// <summary>Reads until the protocol is clear.</summary>
    /// <param name="judge">Judges by all bytes so far.</param>
    /// <param name="cancelled">Ends the wait; another may follow.</param>
    /// <returns>What was judged; undecided if the connection ended before.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<Preface> UntilAsync(Func<ReadOnlySequence<byte>, Preface> judge, CancellationToken cancelled)
    {
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync(cancelled);
                Preface protocol = judge(read.Buffer);
                if (protocol != Preface.Undecided || read.IsCompleted)
                {
                    // The pipe does not let a byte be un-examined; what came with this read stays unexamined, so that the next read returns at once.
                    input.AdvanceTo(read.Buffer.Start, read.Buffer.GetPosition(_examined));
                    return protocol;
                }

                _examined = read.Buffer.Length;
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException)
        {
            // One of us has ended the connection. Caught here and not further up, since every frame that an exception passes costs time, and floods bring many.
            return Preface.Undecided;
        }
    }
}
