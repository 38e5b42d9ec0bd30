namespace Cairn.EndToEnd.KillLoop;

/// <summary>A store that can be killed.</summary>
internal interface IKillTarget
{
    /// <summary>Where its members are.</summary>
    IReadOnlyList<string> Endpoints { get; }

    /// <summary>What its members printed.</summary>
    string Said { get; }

    /// <summary>Kills the store, or what of it is to be killed this time.</summary>
    /// <returns>When the processes are gone.</returns>
    Task KillAsync();
}
