namespace Cairn.Host.Flags;

/// <summary>How the value of a flag is read.</summary>
internal enum FlagKind
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>True or false; as a flag it may stand without a value.</summary>
    Switch,

    /// <summary>A signed number.</summary>
    Integer,

    /// <summary>A number from 0.</summary>
    Natural,

    /// <summary>A number from 0 to 4294967295.</summary>
    Natural32,

    /// <summary>A duration as Go writes it, such as 1m30s.</summary>
    Duration,

    /// <summary>URLs separated by commas.</summary>
    Urls,

    /// <summary>One of a few words.</summary>
    Choice,
}

/// <summary>What a flag does here.</summary>
internal enum FlagEffect
{
    /// <summary>What it does in etcd.</summary>
    Works,

    /// <summary>Nothing: what it tunes does not exist here, or is always as it should be.</summary>
    NotNeeded,

    /// <summary>Nothing: this server does not have what it asks for.</summary>
    Absent,
}

/// <summary>One flag: a name, how its value is read, and a line of help.</summary>
/// <param name="Name">Name, without dashes.</param>
/// <param name="Kind">How the value is read.</param>
/// <param name="Default">The value when none is given, as written on a command line.</param>
/// <param name="Help">One sentence or two.</param>
internal sealed record FlagDefinition(string Name, FlagKind Kind, string Default, string Help)
{
    /// <summary>What the flag does here.</summary>
    public FlagEffect Effect { get; init; } = FlagEffect.Works;

    /// <summary>Whether releases before 3.6 called it <c>experimental-</c> and its name; that spelling is accepted too.</summary>
    public bool WasExperimental { get; init; }

    /// <summary>The words that a <see cref="FlagKind.Choice"/> accepts.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Whether help leaves it out: spellings of old releases that newer ones replaced.</summary>
    public bool Hidden { get; init; }
}

/// <summary>Flags under one heading of the help.</summary>
/// <param name="Title">The heading.</param>
/// <param name="Flags">The flags, in the order of the help.</param>
internal sealed record FlagGroup(string Title, IReadOnlyList<FlagDefinition> Flags);
