// gestures
