using Cairn.Protocol;
using Cairn.Server.Loops;
using Cairn.State.Auth;

namespace Cairn.Server.Auth;

/// <summary>Lets simple tokens live while they are used anywhere, and end when they are not: each member reports what was used there, the leader ends the rest.</summary>
/// <remarks>
/// <para>
/// With a TTL of T, every member looks at the table each T/6. What was used here since its last report, and was not reported by anybody for T/3, goes into one
/// entry. The leader ends what no entry named for T + T/3 and what was not used at the leader itself for T. So a token that is used lives; one that is not ends
/// between one and two T after its last use; and a new leader, which knows no earlier times, waits a whole T again.
/// </para>
/// <para>Owned by its loop. Time is this member's monotonic clock; what follows from it reaches the state as an entry (docs/decisions: simple tokens are replicated).</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class TokenKeeper(NodeRuntime node)
{
    private static readonly TimeSpan PeriodMin = TimeSpan.FromMilliseconds(100);

    // One entry names so many tokens at most: some 32 KiB.
    private const int NamedMax = 1_800;

    private readonly TimeSpan _ttl = node.Options.Auth.TokenTtl;
    private readonly Dictionary<TokenHash, (ulong Index, long Since)> _reported = [];

    /// <summary>Runs until the node stops.</summary>
    /// <param name="wake">Set when it stops.</param>
    /// <returns>Completes then.</returns>
    public async Task RunAsync(AsyncSignal wake)
    {
        var period = _ttl / 6 > PeriodMin ? _ttl / 6 : PeriodMin;
        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), wake, period, period);
        while (!node.IsStopping)
        {
            await wake.WaitAsync();
            if (!node.IsStopping && node.View.Tokens.All.Count > 0)
            {
                await LookAsync(node.View.Tokens.All);
            }
        }
    }

    private async Task LookAsync(IReadOnlyDictionary<TokenHash, SimpleToken> tokens)
    {
        var upkeep = new TokenUpkeep();
        var now = node.Time.GetTimestamp();
        Forget(tokens);
        foreach (var (hash, token) in tokens)
        {
            if (!_reported.TryGetValue(hash, out var reported) || reported.Index != token.LastUse)
            {
                reported = (token.LastUse, now);
                _reported[hash] = reported;
            }

            var unreported = node.Time.GetElapsedTime(reported.Since, now);
            var isUsedHere = node.Auth.Uses.TryFind(hash, out var at);
            if (isUsedHere && at > reported.Since && unreported >= _ttl / 3 && upkeep.Used.Count < NamedMax)
            {
                upkeep.Used.Add(hash.ToByteString());
            }
            else if (node.Facts.LeadingTerm != 0
                && unreported >= _ttl + (_ttl / 3)
                && !(isUsedHere && node.Time.GetElapsedTime(at, now) < _ttl)
                && upkeep.Ended.Count < NamedMax)
            {
                upkeep.Ended.Add(hash.ToByteString());
            }
        }

        if (upkeep.Used.Count + upkeep.Ended.Count > 0)
        {
            // What is not taken now is found again at the next look.
            await node.ProposeOwnAsync(InternalRaftRequest.AuthenticateFieldNumber, new InternalAuthenticateRequest { Upkeep = upkeep }, default);
        }
    }

    private void Forget(IReadOnlyDictionary<TokenHash, SimpleToken> tokens)
    {
        node.Auth.Uses.Keep(tokens);
        foreach (var hash in _reported.Keys.Where(hash => !tokens.ContainsKey(hash)).ToList())
        {
            _reported.Remove(hash);
        }
    }
}
