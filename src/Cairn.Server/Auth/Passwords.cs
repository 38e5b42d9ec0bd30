using System.Text;

namespace Cairn.Server.Auth;

/// <summary>Hashes and checks passwords where it disturbs nobody, and as often as somebody who guesses may try.</summary>
/// <param name="work">Where the work is done.</param>
/// <param name="secrets">Fills bytes with chance that nobody can predict.</param>
/// <param name="cost">Cost of new hashes.</param>
/// <param name="time">Measures how fast guesses come.</param>
internal sealed class Passwords(IHeavyWork work, Action<Span<byte>> secrets, int cost, TimeProvider time)
{
    private readonly GuessLimits _guesses = new(time);

    // Checked instead of the hash of a user who does not exist, so that the time of an answer does not tell who does.
    private readonly Lazy<byte[]> _nobody = new(() => Encoding.ASCII.GetBytes(Bcrypt.Hash("", new byte[Bcrypt.SaltBytes], cost)));

    /// <summary>Hashes a new password.</summary>
    /// <param name="password">At most <see cref="Bcrypt.PasswordBytesMax"/> bytes.</param>
    /// <returns>The text of the hash; null if too many passwords are being hashed.</returns>
    public ValueTask<string?> HashAsync(string password)
    {
        var salt = new byte[Bcrypt.SaltBytes];
        secrets(salt);
        return RunAsync<string?>(() => Bcrypt.Hash(password, salt, cost));
    }

    /// <summary>Checks a password.</summary>
    /// <param name="name">Whose it should be.</param>
    /// <param name="password">What somebody says it is.</param>
    /// <param name="hash">Its hash; null if there is no such user.</param>
    /// <returns>None if it is right; AuthenticationFailed; TooManyRequests.</returns>
    public async ValueTask<NodeError> CheckAsync(string name, string password, ReadOnlyMemory<byte>? hash)
    {
        if (!_guesses.MayTry(name))
        {
            return NodeError.TooManyRequests;
        }

        var outcome = await RunAsync<object?>(() => Bcrypt.Verify(password, (hash ?? _nobody.Value).Span));
        if (outcome is true && hash is not null)
        {
            return NodeError.None;
        }

        if (outcome is null)
        {
            return NodeError.TooManyRequests;
        }

        _guesses.Failed(name);
        return NodeError.AuthenticationFailed;
    }

    private async ValueTask<T?> RunAsync<T>(Func<T?> function)
        where T : class?
    {
        var outcome = new TaskCompletionSource<T?>(TaskCreationOptions.RunContinuationsAsynchronously);
        return work.TrySubmit(() => outcome.SetResult(function())) ? await outcome.Task : null;
    }
}

/// <summary>Counts wrong passwords by name: after a few in a row, one a second.</summary>
/// <param name="time">Measures seconds.</param>
/// <remarks>Any thread. Nothing here is shared with other members: somebody who guesses gets the same number of tries from each.</remarks>
internal sealed class GuessLimits(TimeProvider time)
{
    // A person mistypes a few times, a program with an old password retries at once; more than that is guessing.
    internal const int FailuresMax = 20;

    // Names that somebody makes up must not fill memory; those that failed longest ago are forgotten first.
    internal const int NamesMax = 1024;

    private static readonly TimeSpan Forgiving = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Failures, long Since)> _names = new(StringComparer.Ordinal);

    /// <summary>Whether a password may be tried for a name now.</summary>
    public bool MayTry(string name)
    {
        lock (_lock)
        {
            return FailuresOf_NeedsLock(name) < FailuresMax;
        }
    }

    /// <summary>Counts a wrong one.</summary>
    public void Failed(string name)
    {
        lock (_lock)
        {
            var failures = FailuresOf_NeedsLock(name) + 1;
            if (_names.Count >= NamesMax && !_names.ContainsKey(name))
            {
                _names.Remove(_names.MinBy(entry => entry.Value.Since).Key);
            }

            _names[name] = (Math.Min(failures, FailuresMax), time.GetTimestamp());
        }
    }

    /// <summary>Failures that still count: one is forgiven each second.</summary>
    private int FailuresOf_NeedsLock(string name) =>
        _names.TryGetValue(name, out var entry) ? Math.Max(0, entry.Failures - (int)Math.Min(FailuresMax, time.GetElapsedTime(entry.Since) / Forgiving)) : 0;
}
