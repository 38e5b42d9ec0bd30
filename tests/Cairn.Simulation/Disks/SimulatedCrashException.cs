namespace Cairn.Simulation.Disks;

/// <summary>The power is off, or the process that used the disk is gone: what every call answers from then on. Not an I/O error, so that nobody handles it.</summary>
public sealed class SimulatedCrashException() : Exception("the simulated machine is off");
