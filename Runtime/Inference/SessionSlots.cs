namespace MambaRT;

/// <summary>The slots of a model: those of its sessions and of the states that are kept, which give theirs up where there is no room for another.</summary>
internal sealed class SessionSlots(Model model)
{
    private readonly Stack<int> _free = new();
    private int _used;

    /// <summary>A slot in the zero state; only within <see cref="Model.Enter"/>, so that no run still writes to it.</summary>
    /// <exception cref="StateBudgetException">There is no room for another.</exception>
    /// <param name="clears">Whether it is set to the zero state; else it is anything, and who takes it copies a state over it.</param>
    public int Take(bool clears = true)
    {
        lock (_free)
        {
            if (!_free.TryPop(out int slot)) slot = New();
            try
            {
                if (clears) model.Loaded.ClearSlot(slot);
                return slot;
            }
            catch
            {
                _free.Push(slot);
                throw;
            }
        }
    }

    /// <summary>Whether half of the memory that the model may take is taken: kept states then get no more, so that there is room for what runs.</summary>
    public bool AreTight => model.Options.Memory is { } memory && memory.Taken > memory.Limit / 2;

    /// <summary>A further slot, or that of a kept state where there is no room for one.</summary>
    private int New()
    {
        if (AreTight && model.Checkpoints?.TryGiveUp(out int given) == true) return given;
        try
        {
            Reserve(_used + 1);
            return ++_used;
        }
        catch (StateBudgetException)
        {
            if (model.Checkpoints?.TryGiveUp(out int slot) == true) return slot;
            throw;
        }
    }

    private void Reserve(int slots)
    {
        try
        {
            model.Loaded.ReserveSlots(slots);
        }
        catch (InsufficientMemoryException e)
        {
            throw new StateBudgetException($"There is no memory for another state: {e.Message}", e);
        }
    }

    /// <summary>Gives a slot back, from any thread at any time.</summary>
    public void Return(int slot)
    {
        lock (_free) _free.Push(slot);
    }
}
