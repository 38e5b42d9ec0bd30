namespace Cairn.Tests.Raft.Safety;

/// <summary>How members write: between Ready and Advance, or by workers; and whether leaders apply ahead of their own disk.</summary>
public enum StorageMode
{
    Synchronous,
    Asynchronous,
    ApplyUnstable,
}

/// <summary>A fault that breaks what the algorithm rests on: the checks must notice.</summary>
public enum PlantedFault
{
    None,

    /// <summary>A restarted member does not remember whom it voted for.</summary>
    ForgetVote,

    /// <summary>Acknowledgements and votes leave before what they promise is durable.</summary>
    AnswerBeforeSync,

    /// <summary>A restarted member has lost the end of what it had made durable.</summary>
    LoseTail,
}

/// <summary>One run: everything in it follows from these.</summary>
internal sealed record SafetyOptions(ulong Seed, StorageMode Mode, PlantedFault Fault = PlantedFault.None, int Steps = 2500);

/// <summary>A property that Raft promises does not hold.</summary>
internal sealed class SafetyViolationException(string what) : Exception(what);
