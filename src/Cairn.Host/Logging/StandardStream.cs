using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cairn.Host.Logging;

/// <summary>Writes to standard output or standard error, and nothing but what it is given.</summary>
/// <remarks>
/// The console of .NET greets a terminal with control characters before the first byte, and whoever reads the log of a server over a terminal, as
/// etcd's own tests do, expects JSON from the first byte on. Thread-safe as far as the system's write is.
/// </remarks>
internal sealed partial class StandardStream : Stream
{
    private const int Interrupted = 4;
    private const int TryAgain = 11;

    private readonly int _descriptor;

    private StandardStream(int descriptor) => _descriptor = descriptor;

    /// <summary>Standard output.</summary>
    public static StandardStream Output { get; } = new(1);

    /// <summary>Standard error.</summary>
    public static StandardStream Error { get; } = new(2);

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">Nobody reads any more, or the disk is full.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint count = WriteBytes(_descriptor, buffer, (nuint)buffer.Length);
            if (count >= 0)
            {
                buffer = buffer[(int)count..];
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error is not (Interrupted or TryAgain))
            {
                throw new IOException($"the log cannot be written: {new Win32Exception(error).Message}");
            }

            // Somebody made the pipe non-blocking, and its reader is behind.
            Thread.Yield();
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteBytes(int descriptor, ReadOnlySpan<byte> bytes, nuint count);
}
