namespace Cairn.Server.Requests;

/// <summary>Lets so many log lines through in a second and counts the others: what makes one request slow makes a thousand slow.</summary>
/// <param name="time">Measures.</param>
/// <param name="perSecond">Lines in a second.</param>
/// <remarks>Any thread.</remarks>
public sealed class LineBudget(TimeProvider time, int perSecond)
{
    private readonly Lock _lock = new();
    private long _began = time.GetTimestamp();
    private int _lines;
    private long _leftOut;

    /// <summary>Asks for a line.</summary>
    /// <param name="leftOut">How many were refused since the last one that was not.</param>
    /// <returns>Whether it may be written.</returns>
    public bool TryTake(out long leftOut)
    {
        lock (_lock)
        {
            leftOut = _leftOut;
            if (time.GetElapsedTime(_began) >= TimeSpan.FromSeconds(1))
            {
                (_began, _lines) = (time.GetTimestamp(), 0);
            }

            if (_lines >= perSecond)
            {
                _leftOut++;
                return false;
            }

            _lines++;
            _leftOut = 0;
            return true;
        }
    }
}
