using System.Reflection;
using System.Runtime.CompilerServices;
using Cairn.Raft;

namespace Cairn.Server;

/// <summary>Has the code compiled that a member needs when leadership changes. The runtime compiles a method when it is called first, and the first hand-over of a process, when
/// clients wait, calls hundreds of them on all members at once.</summary>
public static class CompiledAhead
{
    private const BindingFlags Declared = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>Compiles the methods of the consensus core and of the node, except generic ones. Takes some tenths of a second of a processor; may run beside anything.</summary>
    public static void Prepare()
    {
        foreach (var type in new[] { typeof(RaftNode).Assembly, typeof(Node).Assembly }.SelectMany(static assembly => assembly.GetTypes()))
        {
            if (type.ContainsGenericParameters)
            {
                continue;
            }

            foreach (var method in type.GetMethods(Declared).Concat<MethodBase>(type.GetConstructors(Declared)))
            {
                if (!method.IsAbstract && !method.ContainsGenericParameters && method.GetMethodBody() is not null)
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                }
            }
        }
    }
}
