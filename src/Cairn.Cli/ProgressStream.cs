using System.Globalization;

namespace Cairn.Cli;

/// <summary>Passes on what is written, and says now and then how much that is, so that nobody takes a large copy for one that hangs. Owned by its creator.</summary>
/// <param name="inner">Where the bytes go; stays open.</param>
/// <param name="report">Where the lines go.</param>
internal sealed class ProgressStream(Stream inner, TextWriter report) : Stream
{
    // A line for every 256 MiB: a second or a few each, on ordinary disks.
    private const long StepBytes = 256L << 20;

    private long _written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _written;

    public override long Position
    {
        get => _written;
        set => throw new NotSupportedException();
    }

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count)
    {
        inner.Write(buffer, offset, count);
        Count(count);
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        Count(buffer.Length);
    }

    private void Count(int bytes)
    {
        long before = _written / StepBytes;
        _written += bytes;
        if (_written / StepBytes > before)
        {
            report.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_written >> 20} MiB"));
        }
    }
}
