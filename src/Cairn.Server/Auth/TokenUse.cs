using System.Collections.Concurrent;
using Cairn.State.Auth;

namespace Cairn.Server.Auth;

/// <summary>When simple tokens were last used at this member. Any thread.</summary>
internal sealed class TokenUse
{
    private readonly ConcurrentDictionary<TokenHash, long> _last = new();

    /// <summary>Notes a use.</summary>
    /// <param name="token">The token, a valid one.</param>
    /// <param name="now">Timestamp.</param>
    public void Note(TokenHash token, long now) => _last[token] = now;

    /// <summary>Whether, and when, a token was used.</summary>
    /// <param name="token">The token.</param>
    /// <param name="at">Timestamp of the last use.</param>
    /// <returns>False if it never was.</returns>
    public bool TryFind(TokenHash token, out long at) => _last.TryGetValue(token, out at);

    /// <summary>Forgets tokens that are not valid any more.</summary>
    /// <param name="valid">The valid ones.</param>
    public void Keep(IReadOnlyDictionary<TokenHash, SimpleToken> valid)
    {
        foreach (var token in _last.Keys.Where(token => !valid.ContainsKey(token)))
        {
            _last.TryRemove(token, out _);
        }
    }
}
