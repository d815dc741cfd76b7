"""What exists: plugins are found, loaded and registered here, and their entries looked up. Never imports torch."""

import pluggy

hookimpl = pluggy.HookimplMarker("zoo")
