namespace Cairn.Server.Auth;

/// <summary>Does what takes a processor for many milliseconds, away from the loops and from other requests.</summary>
public interface IHeavyWork
{
    /// <summary>Hands over work.</summary>
    /// <param name="work">What to do; must not fail.</param>
    /// <returns>False if too much waits already: it will not be done.</returns>
    bool TrySubmit(Action work);
}

/// <summary>Does the work on the spot: for a world of one thread.</summary>
public sealed class InlineWork : IHeavyWork
{
    /// <inheritdoc/>
    public bool TrySubmit(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        work();
        return true;
    }
}
