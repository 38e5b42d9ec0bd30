namespace Cairn.Client.Calls;

/// <summary>When a call may be made again.</summary>
internal enum Repeat
{
    /// <summary>Whenever no member could answer: making the call twice does what making it once does.</summary>
    Always,

    /// <summary>Only when it is certain that no member saw the call, so that it is never done twice.</summary>
    IfNeverSent,
}
