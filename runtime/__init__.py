"""What every process needs: settings, secrets, logging, the Temporal connection, the image store. Knows no business."""
