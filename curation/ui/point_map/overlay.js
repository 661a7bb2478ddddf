// overlay
