//! Finds circles in a graph of numbered nodes, and a topological order without them. Independent of
//! templates.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use petgraph::Directed;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{Graph, NodeIndex};

/// The successors of each node.
pub(super) type Edges = [Vec<usize>];

/// Returns every set of nodes that can all reach each other, and every node with an edge to itself;
/// members in ascending order, sets by their first member.
pub(super) fn circles(edges: &Edges) -> Vec<Vec<usize>> {
    let pairs = edges
        .iter()
        .enumerate()
        .flat_map(|(node, targets)| targets.iter().map(move |target| (node, *target)));
    let graph = Graph::<(), (), Directed, usize>::from_edges(pairs);
    // Unlike petgraph's `tarjan_scc`, this doesn't recurse: a template may have tens of thousands
    // of nodes.
    let mut found: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .map(|members| members.into_iter().map(NodeIndex::index).collect())
        .filter(|members: &Vec<usize>| {
            members.len() > 1 || members.iter().any(|node| edges[*node].contains(node))
        })
        .collect();
    found.iter_mut().for_each(|members| members.sort_unstable());
    found.sort();
    found
}

/// Returns the shortest path from the first member of a circle back to it: `[A, B, C]` for A → B →
/// C → A.
pub(super) fn way(edges: &Edges, members: &[usize]) -> Vec<usize> {
    let Some(&first) = members.first() else {
        return Vec::new();
    };
    let mut came_from = vec![None; edges.len()];
    let mut open = VecDeque::from([first]);
    while let Some(node) = open.pop_front() {
        for &target in &edges[node] {
            if target == first {
                let mut way = vec![node];
                while let Some(before) = way.last().and_then(|node| came_from[*node]) {
                    way.push(before);
                }
                way.reverse();
                return way;
            }
            if came_from[target].is_none() && members.binary_search(&target).is_ok() {
                came_from[target] = Some(node);
                open.push_back(target);
            }
        }
    }
    vec![first]
}

/// Returns the nodes in topological order: successors first, then by ascending number. Members of
/// circles and nodes that can reach them are left out.
pub(super) fn order(edges: &Edges) -> Vec<usize> {
    let mut missing: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut waiting = vec![Vec::new(); edges.len()];
    for (node, targets) in edges.iter().enumerate() {
        targets
            .iter()
            .for_each(|target| waiting[*target].push(node));
    }
    let ready = missing
        .iter()
        .enumerate()
        .filter(|(_, missing)| **missing == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.map(|(node, _)| Reverse(node)).collect();
    let mut ordered = Vec::with_capacity(edges.len());
    while let Some(Reverse(node)) = ready.pop() {
        ordered.push(node);
        for &dependent in &waiting[node] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers<'a> = &'a [&'a [usize]];

    #[test]
    fn circles_their_ways_and_the_order() {
        let check = |edges: Numbers, sets: Numbers, ways: Numbers, ordered: &[usize]| {
            let edges: Vec<Vec<usize>> = edges.iter().map(|targets| targets.to_vec()).collect();
            let found = circles(&edges);
            assert_eq!(found, sets, "{edges:?}");
            assert_eq!(
                found
                    .iter()
                    .map(|members| way(&edges, members))
                    .collect::<Vec<_>>(),
                ways,
                "{edges:?}"
            );
            assert_eq!(order(&edges), ordered, "{edges:?}");
        };
        check(&[], &[], &[], &[]);
        check(&[&[]], &[], &[], &[0]);
        check(&[&[0]], &[&[0]], &[&[0]], &[]);
        check(&[&[1], &[0], &[0]], &[&[0, 1]], &[&[0, 1]], &[]);
        check(&[&[2], &[], &[1], &[1]], &[], &[], &[1, 2, 0, 3]);
        // Of two paths, the short one is reported.
        check(
            &[&[1], &[2, 3], &[0], &[2]],
            &[&[0, 1, 2, 3]],
            &[&[0, 1, 2]],
            &[],
        );
        // Two circles, one leading to the other.
        check(
            &[&[3], &[2, 0], &[1], &[0], &[]],
            &[&[0, 3], &[1, 2]],
            &[&[0, 3], &[1, 2]],
            &[4],
        );
        // The same edge twice.
        check(&[&[1, 1], &[]], &[], &[], &[1, 0]);
    }

    #[test]
    fn a_long_chain_and_a_long_circle() {
        let count = 100_000;
        let mut edges: Vec<Vec<usize>> = (0..count).map(|node| vec![node + 1]).collect();
        edges.push(Vec::new());
        assert_eq!(circles(&edges), [[0; 0]; 0]);
        assert_eq!(order(&edges), (0..=count).rev().collect::<Vec<_>>());
        edges[count].push(0);
        let all: Vec<usize> = (0..=count).collect();
        assert_eq!(circles(&edges), std::slice::from_ref(&all));
        assert_eq!(way(&edges, &all), all);
    }
}
