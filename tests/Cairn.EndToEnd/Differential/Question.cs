using Google.Protobuf.Reflection;

namespace Cairn.EndToEnd.Differential;

/// <summary>One request, as both servers get it.</summary>
internal sealed record Question
{
    private static readonly HashSet<string> Reads =
    [
        "Range", "LeaseTimeToLive", "LeaseLeases", "MemberList", "Status", "Hash", "HashKV", "AuthStatus", "UserGet", "UserList", "RoleGet", "RoleList", "Leader",
    ];

    /// <summary>The method that is asked; null where the request belongs to none.</summary>
    public MethodDescriptor? Method { get; init; }

    /// <summary>The path of the request: a method's over gRPC, a gateway's over HTTP/1.1.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it goes over HTTP/1.1 as JSON, and not over HTTP/2 as gRPC.</summary>
    public bool IsJson { get; init; }

    /// <summary>Method of HTTP.</summary>
    public string Verb { get; init; } = "POST";

    /// <summary>The body, framed where it is gRPC.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>As whom it is asked; empty for nobody.</summary>
    public string User { get; init; } = "";

    /// <summary>Whether something of the bytes is wrong on purpose: then parsers may word it as they like.</summary>
    public bool IsBroken { get; init; }

    /// <summary>What it says, for a reader.</summary>
    public required string Shown { get; init; }

    /// <summary>Name of the method, without its service.</summary>
    public string Name => Method?.Name ?? "";

    /// <summary>Whether it may change what the servers keep.</summary>
    public bool MayWrite => Method is not null && !Reads.Contains(Method.Name);

    /// <inheritdoc/>
    public override string ToString() => $"{(IsJson ? "JSON" : "gRPC")} {Verb} {Path}{(User.Length > 0 ? " as " + User : "")}{(IsBroken ? " (broken)" : "")} {Shown}";
}
