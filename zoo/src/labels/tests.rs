use std::collections::HashSet;

use super::*;

#[test]
fn the_usual_set_is_found_by_its_size() {
    assert_eq!(
        [10, 100, 1000, 11].map(LabelSet::usual),
        [Some(LabelSet::Cifar10), Some(LabelSet::Cifar100), Some(LabelSet::ImageNet), None]
    );
}

#[test]
fn every_set_has_its_classes_each_once() {
    for (set, count) in [(LabelSet::ImageNet, 1000), (LabelSet::Cifar10, 10), (LabelSet::Cifar100, 100)] {
        let names = of(set);
        assert_eq!(names.len(), count, "{set}");
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), count, "{set}");
        assert!(names.iter().all(|name| !name.is_empty() && name.trim() == *name), "{set}");
    }
}

#[test]
fn imagenet_is_in_the_order_of_its_ids() {
    let ids = LabelSet::imagenet_ids();
    assert_eq!(ids.len(), 1000);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(ids.iter().all(|id| id.len() == 9 && id.starts_with('n')));
}

/// Index, id and name in Keras' `imagenet_class_index.json`, with spaces for its underscores.
#[test]
fn imagenet_agrees_with_keras() {
    let keras = [
        (597, "n03527444", "holster"),
        (638, "n03710637", "maillot"),
        (701, "n03888257", "parachute"),
        (817, "n04285008", "sports car"),
        (963, "n07873807", "pizza"),
        (999, "n15075141", "toilet tissue"),
    ];
    for (index, id, name) in keras {
        assert_eq!((LabelSet::imagenet_ids()[index], of(LabelSet::ImageNet)[index]), (id, name));
    }
}
