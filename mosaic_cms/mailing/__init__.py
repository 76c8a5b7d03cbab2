"""Mail: what it says. How it gets out is :mod:`mosaic_cms.postman`'s business."""
