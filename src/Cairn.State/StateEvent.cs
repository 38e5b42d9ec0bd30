using Cairn.Storage;

namespace Cairn.State;

/// <summary>One change of one key, as a watcher is told of it.</summary>
/// <param name="Revision">When; events of one transaction share the main part and ascend in the sub part.</param>
/// <param name="IsDeletion">Whether the key is gone.</param>
/// <param name="HadPrevious">Whether the key existed before: whether there is a previous value to be asked for.</param>
/// <param name="Key">Which key; never changes.</param>
/// <param name="KeyValue">Canonical mvccpb.KeyValue to be sent as the event's "kv"; of a deletion, key and mod_revision. Never changes.</param>
public readonly record struct StateEvent(Revision Revision, bool IsDeletion, bool HadPrevious, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> KeyValue);
